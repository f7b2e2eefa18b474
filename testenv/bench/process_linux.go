package bench

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// nobody is who the processes run as if this one is root, whom the kernel
// allows more: pipes without limit, for one.
const nobody = 65534

// isolate makes cmd the head of a process group that ends with this process.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
}

// killGroup ends a process and all that it has started.
func killGroup(pid int) { _ = unix.Kill(-pid, unix.SIGKILL) }

// descriptorLimit raises the limit of this process to what it may be, which
// processes started from now on inherit, and returns it.
func descriptorLimit() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	limit.Cur = limit.Max
	// Go gives its children the limit that it was started with, unless it was
	// set by hand.
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	return int(limit.Max)
}

// members are the processes of a group.
func members(group int) (pids []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		f := statFields(name)
		if len(f) < 3 || f[2] != strconv.Itoa(group) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// statFields are those after the program's name, which may hold anything; the
// first is the state.
func statFields(name string) []string {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
}

// tick is the unit of times in /proc, USER_HZ.
const tick = 10 * time.Millisecond

// groupCPU is what a group has used so far, in user and system time. Zero is
// none.
func groupCPU(group int) (sum time.Duration) {
	if group == 0 {
		return 0
	}
	for _, pid := range members(group) {
		sum += processCPU(pid)
		// cutime and cstime: children that have ended.
		if f := statFields(fmt.Sprintf("/proc/%d/stat", pid)); len(f) > 14 {
			for _, text := range f[13:15] {
				n, _ := strconv.ParseInt(text, 10, 64)
				sum += time.Duration(n) * tick
			}
		}
	}
	return sum
}

// processCPU reads the process's own clock, which counts nanoseconds where
// /proc counts hundredths of a second (clock_getcpuclockid(3)).
func processCPU(pid int) time.Duration {
	const scheduler = 2 // CPUCLOCK_SCHED
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduler), &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// groupFootprint is what a group holds now. Zero is none.
func groupFootprint(group int) (f footprint) {
	f.kernel = kernelMemory()
	if group == 0 {
		return f
	}
	for _, pid := range members(group) {
		f.memory += resident(pid)
		names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, name := range names {
			f.descriptors++
			if to, _ := os.Readlink(name); strings.HasPrefix(to, "pipe:") {
				f.pipes++
			}
		}
	}
	return f
}

// resident is the memory of a process in bytes; what it shares with others is
// shared out among them.
func resident(pid int) int64 {
	if n, ok := field(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss:"); ok {
		return n * 1024
	}
	n, _ := field(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:")
	return n * 1024
}

// kernelMemory is what the kernel of this machine holds for processes and
// sockets, in bytes. It is everybody's.
func kernelMemory() (sum int64) {
	for _, name := range []string{"Slab:", "KernelStack:", "PageTables:"} {
		n, _ := field("/proc/meminfo", name)
		sum += n * 1024
	}
	text, _ := os.ReadFile("/proc/net/sockstat")
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) > 2 && f[0] == "TCP:" {
			n, _ := strconv.ParseInt(f[len(f)-1], 10, 64)
			sum += n * int64(os.Getpagesize())
		}
	}
	return sum
}

// field is the first number of a line that begins with name.
func field(file, name string) (int64, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name {
			n, err := strconv.ParseInt(f[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// describe fills in what only this system tells of the machine.
func (m *Machine) describe() {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = "Linux " + unix.ByteSliceToString(u.Release[:])
	}
	m.User = os.Getuid()
	if m.User == 0 {
		m.User = nobody
	}
}
