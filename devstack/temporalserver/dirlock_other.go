//go:build !unix

package temporalserver

import "os"

// lockFile does not lock: the port that is in use tells of a second server well enough there.
func lockFile(*os.File) error { return nil }
