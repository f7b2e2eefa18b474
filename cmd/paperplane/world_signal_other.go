//go:build !linux

package main

import "os"

var passed = []os.Signal{os.Interrupt}

func foreground() bool { return false }
