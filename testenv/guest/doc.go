// Package guest runs programs of any language in a world on Linux namespaces,
// each as if on a machine that knows nothing else.
//
// A [Program] is started at a place, an ISP or a host of the world, by that
// place's own means ([testenv.ISP.Start], [testenv.Host.Run]), which put it on
// the place's network. To that this package adds namespaces of its own for
// processes and mounts. Nothing that the program has started outlives it, nor
// the process that started it, however that ends. And it sees the names of the
// world in the place of the machine's: its own /etc/hosts, resolv.conf and
// nsswitch.conf are bound over those of the machine, where there are any.
//
// Names are known where they are in a world in memory. A machine in a cloud
// knows all destinations (see [Hosts]). In an ISP a program that resolves a
// name by itself shows it to the network, so there it has to ask, by DNS, a
// server that notes the question in the world's ledger (see [ServeNames]), and
// gets an answer, as a careless program does.
//
// It is no sandbox: a program has the files of who started it, and sockets with
// a path lead out of the world.
//
// The first process in such a namespace is this very executable, run again, so
// a program that uses the package must call [Main] first in its main function.
package guest
