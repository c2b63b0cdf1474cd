//go:build unix && !linux

package child

import "os/exec"

// dieWithParent leaves the child in the parent's process group, so that Ctrl-C ends both: there is no
// parent-death signal here, and a child survives a parent that is killed.
func dieWithParent(*exec.Cmd) {}

// waitStopped does not wait: SIGSTOP takes effect within microseconds.
func waitStopped(int) error { return nil }
