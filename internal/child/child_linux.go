package child

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel kill the child when its parent dies, however that dies. The kernel
// forgets this if the child changes its user.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
