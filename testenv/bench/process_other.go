//go:build !linux

package bench

import (
	"os/exec"
	"time"
)

func isolate(*exec.Cmd) {}

func killGroup(int) {}

func descriptorLimit() int { return 0 }

func groupCPU(int) time.Duration { return 0 }

func processCPU(int) time.Duration { return 0 }

func groupFootprint(int) footprint { return footprint{} }

func (m *Machine) describe() {}
