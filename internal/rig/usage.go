package rig

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tick is the unit of the CPU times in /proc/PID/stat. The kernel reports them in USER_HZ, which is 100 on every
// architecture Go runs on (proc(5)).
const tick = time.Second / 100

// CPU returns the processor time that the child has spent so far, user and system, in steps of 10 ms.
func (p *Process) CPU() (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return 0, fmt.Errorf("read CPU time of %s: %w", p.name, err)
	}
	d, err := ParseCPU(raw)
	if err != nil {
		return 0, fmt.Errorf("read CPU time of %s: %w", p.name, err)
	}
	return d, nil
}

// RSS returns the child's resident memory in bytes.
func (p *Process) RSS() (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return 0, fmt.Errorf("read memory of %s: %w", p.name, err)
	}
	n, err := ParseRSS(raw)
	if err != nil {
		return 0, fmt.Errorf("read memory of %s: %w", p.name, err)
	}
	return n, nil
}

// ParseCPU reads utime + stime from the text of /proc/PID/stat (fields 14 and 15 of proc(5)). The command name in
// field 2 may hold spaces and parentheses, so fields are counted from the last closing one.
func ParseCPU(stat []byte) (time.Duration, error) {
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, fmt.Errorf("stat without a command name: %q", stat)
	}
	fields := bytes.Fields(stat[end+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("stat with %d fields after the command name, want at least 13", len(fields))
	}
	user, err := strconv.ParseUint(string(fields[11]), 10, 48)
	if err != nil {
		return 0, fmt.Errorf("utime: %w", err)
	}
	system, err := strconv.ParseUint(string(fields[12]), 10, 48)
	if err != nil {
		return 0, fmt.Errorf("stime: %w", err)
	}
	return time.Duration(user+system) * tick, nil
}

// ParseRSS reads VmRSS from the text of /proc/PID/status, in bytes.
func ParseRSS(status []byte) (int64, error) {
	for line := range bytes.Lines(status) {
		value, ok := bytes.CutPrefix(line, []byte("VmRSS:"))
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(value), []byte(" kB"))), 10, 48)
		if err != nil {
			return 0, fmt.Errorf("VmRSS: %w", err)
		}
		return kib << 10, nil
	}
	return 0, fmt.Errorf("status without VmRSS")
}
