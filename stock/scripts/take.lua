-- Makes the caller the loader of a SKU that is neither loaded nor being loaded.
-- KEYS  1 count   2 the loader's token
-- ARGV  1 epoch   2 token   3 token's time to live (ms)
-- A SKU that is loaded has no loader: a caller that comes late would write over a count from which units
-- were reserved meanwhile.
local count, outdated = read_count(KEYS[1])
if outdated then return 'outdated' end
if count then return 'loaded' end
if redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3]) then
  redis.call('DEL', KEYS[1]) -- of an earlier epoch: whoever still aligns it meets none, and stops this load instead
  return 'taken'
end
return 'loading'
