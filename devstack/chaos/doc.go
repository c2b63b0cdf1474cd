// Package chaos tries to break the three promises: on real servers it lets shoppers buy while processes are killed and paused,
// connections cut, Redis wiped, workflows terminated and the payment provider is ill, then waits for quiet and compares what
// every shopper was told with what is on record. The devstack program and its tests import it.
package chaos
