// Package temporalserver runs a whole Temporal server with its Web UI inside this process, its state in
// two SQLite files of one directory. It is what `make demo`, `make dev` and the tests call Temporal; a
// production system points the product at a real cluster instead.
//
// Only the programs and tests of the devstack module may import it: it links the Temporal server, which
// must never enter the product's own module.
package temporalserver
