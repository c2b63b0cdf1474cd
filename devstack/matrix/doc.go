// Package matrix has no code but its tests: the crash matrix, which lets every step and every undo of the saga go wrong in every
// way, alone and in a batch, and then audits; and the interleavings that single faults do not meet. Nothing imports it.
package matrix
