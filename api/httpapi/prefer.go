package httpapi

import (
	"strconv"
	"strings"
	"time"
)

const (
	// defaultWait is how long POST /v1/orders waits: well beyond an order on a system that is well, and
	// below the time-outs that clients commonly have.
	defaultWait = 5 * time.Second
	maxWait     = 30 // seconds
)

// parsePrefer reads the wait out of a Prefer header (RFC 7240), whose other preferences it ignores.
// applied is the Preference-Applied header, empty if no wait was asked for. The error is a *Problem.
func parsePrefer(header string) (wait time.Duration, applied string, err error) {
	if header == "" {
		return defaultWait, "", nil
	}
	for preference := range strings.SplitSeq(header, ",") {
		token, _, _ := strings.Cut(preference, ";")
		name, value, _ := strings.Cut(token, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "wait") {
			continue
		}
		value = strings.Trim(strings.TrimSpace(value), `"`)
		seconds, err := strconv.ParseUint(value, 10, 8)
		if err != nil || seconds > maxWait {
			return 0, "", wrongField(slugInvalid, "Prefer", "must have a wait of 0 to 30 seconds, such as wait=10")
		}
		return time.Duration(seconds) * time.Second, "wait=" + strconv.FormatUint(seconds, 10), nil
	}
	return defaultWait, "", nil
}
