package httpapi

import (
	"regexp"
	"strconv"
)

// etag is the strong validator of a version.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// entityTag is one entity tag of RFC 9110, section 8.8.3.
var entityTag = regexp.MustCompile(`^(W/)?"([!#-~]*)"$`)

// parseIfMatch gives the version that the caller knows, 0 if he says none. A tag that is none of ours, a
// weak one included, matches nothing: that is stale. Lists and "*" are refused: "*" means whatever is
// there, which is what the header is to prevent. The error is a *Problem.
func parseIfMatch(header string) (version int64, err error) {
	if header == "" {
		return 0, nil
	}
	tag := entityTag.FindStringSubmatch(header)
	if tag == nil {
		return 0, wrongField(slugInvalid, "If-Match", `must be one ETag as GET gave it, such as "3"`)
	}
	version, err = strconv.ParseInt(tag[2], 10, 64)
	if tag[1] != "" || err != nil || version < 1 || etag(version) != header {
		return 0, stale()
	}
	return version, nil
}
