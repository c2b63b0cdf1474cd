package stock

import "github.com/redis/go-redis/v9"

// Client is the front's own client, so that tests can get in its way.
func (f *Front) Client() redis.UniversalClient { return f.rdb }
