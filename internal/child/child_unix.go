//go:build unix && !linux

package child

import (
	"os/exec"
	"syscall"
)

// dieWithParent can only part the child's process group from this one's: a child outlives a parent
// that is killed, where the kernel has no signal for that.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
