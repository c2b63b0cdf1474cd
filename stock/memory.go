package stock

import (
	"context"
	"strings"

	"github.com/redis/go-redis/v9"
)

// costly says of each of Redis's eviction policies that costs speed why it does. The others (lru and lfu) evict the
// counts that nobody buys from first, which costs nothing: they are read again when they are needed. Policies
// as in Redis's documentation on key eviction.
var costly = map[string]string{
	"noeviction":      "when its memory is full it refuses reservations, and orders then go on at the order database's speed",
	"allkeys-random":  "when its memory is full it evicts hot counts as soon as cold ones, and each has to be read again",
	"volatile-random": "when its memory is full it evicts hot counts as soon as cold ones, and each has to be read again",
	"volatile-ttl":    "when its memory is full it evicts hot counts before the reservations of finished orders, which live longer",
}

// MemoryPolicyWarning says why the eviction policy of a Redis whose memory is bounded costs speed. It is empty if it
// does not, or if Redis does not tell. On a Cluster one node speaks for all.
func (f *Front) MemoryPolicyWarning(ctx context.Context) (string, error) {
	if _, err := f.admit(ctx); err != nil {
		return "", err
	}
	info, err := f.rdb.Info(ctx, "memory").Result()
	if err != nil {
		return "", failure(err)
	}
	memory := infoOf(info)
	reason := costly[memory["maxmemory_policy"]]
	if reason == "" || memory["maxmemory"] == "0" || memory["maxmemory"] == "" {
		return "", nil
	}
	return "its maxmemory-policy is " + memory["maxmemory_policy"] + ": " + reason + ". allkeys-lru suits holdfast best", nil
}

// infoOf reads the fields of Redis's INFO.
func infoOf(text string) map[string]string {
	fields := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, is := strings.Cut(strings.TrimSpace(line), ":"); is {
			fields[name] = value
		}
	}
	return fields
}

// serverID gives what a server keeps from its start to its end, as long as it is a master. Empty if it does not tell.
func serverID(ctx context.Context, conn *redis.Conn) (string, error) {
	info, err := conn.Info(ctx).Result()
	about := infoOf(info)
	return about["run_id"] + about["master_replid"], err
}
