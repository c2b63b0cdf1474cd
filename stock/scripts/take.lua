-- Makes the caller the loader of a SKU that is neither loaded nor being loaded.
-- KEYS  1 stock {generation, units}   2 the loader's token
-- ARGV  1 token   2 token's time to live (ms)
-- A SKU that is loaded has no loader: a caller that comes late would write over a count from which units
-- were reserved meanwhile, and a release that only raises a count would leave its token alone.
if redis.call('EXISTS', KEYS[1]) == 1 then return 'loaded' end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return 'taken' end
return 'loading'
