package remote

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/guest"
)

// streams is how many descriptors a program is given.
const streams = 3

// handover bounds the time for the descriptors to come.
const handover = 10 * time.Second

// attend runs a program for a client that stays on the line.
func (s *Server) attend(w http.ResponseWriter, p Program) {
	h, ok := w.(http.Hijacker)
	if !ok {
		fail(w, &Error{http.StatusNotImplemented, "programs run over a unix socket only"})
		return
	}
	c, _, err := h.Hijack()
	if err != nil {
		fail(w, err)
		return
	}
	defer c.Close()
	u, ok := c.(*net.UnixConn)
	if !ok {
		_, _ = io.WriteString(c, "HTTP/1.1 501 Not Implemented\r\nConnection: close\r\n\r\n")
		return
	}
	_ = u.SetDeadline(time.Now().Add(handover))
	if !s.attending(u) {
		return
	}
	defer s.running.Done()
	defer s.handedOver(u)
	if _, err := fmt.Fprintf(u, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", protocol); err != nil {
		return
	}
	files, err := receive(u)
	if err != nil {
		s.log().Warn("a program's streams did not come", "err", err)
		return
	}
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	s.handedOver(u)
	result := s.run(u, p, files)
	_ = u.SetWriteDeadline(time.Now().Add(grace))
	_ = json.NewEncoder(u).Encode(result)
}

// run runs a program until its end, or the connection's.
func (s *Server) run(u *net.UnixConn, p Program, files []*os.File) Result {
	q, err := s.Start(p.Place, guest.Program{
		Args: p.Args, Env: p.Env, Dir: p.Dir, Stdin: files[0], Stdout: files[1], Stderr: files[2], Apart: true,
	})
	// What the program has is not to be kept open here.
	for _, f := range files {
		_ = f.Close()
	}
	if err != nil {
		return Result{Status: StatusFailed, Error: err.Error()}
	}
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		var b [1]byte
		for {
			if _, err := u.Read(b[:]); errors.Is(err, os.ErrDeadlineExceeded) {
				return
			} else if err != nil {
				q.Kill()
				return
			}
			q.Signal(syscall.Signal(b[0]))
		}
	}()
	status := q.Wait()
	_ = u.SetReadDeadline(time.Unix(1, 0))
	<-reading
	return Result{Status: status}
}

// receive takes the three descriptors that come with the first byte.
func receive(u *net.UnixConn) (files []*os.File, err error) {
	var b [1]byte
	oob := make([]byte, syscall.CmsgSpace(8*streams))
	n, oobn, flags, _, err := u.ReadMsgUnix(b[:], oob)
	if err != nil {
		return nil, err
	}
	messages, err := syscall.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		fds, err := syscall.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			syscall.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "stream"))
		}
	}
	if len(files) != streams || n != 1 || flags&syscall.MSG_CTRUNC != 0 {
		for _, f := range files {
			_ = f.Close()
		}
		return nil, fmt.Errorf("%d descriptors instead of %d", len(files), streams)
	}
	return files, nil
}
