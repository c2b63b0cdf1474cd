-- Counts an order's units of one SKU down, once.
-- KEYS  1 count   2 the order's reservation
-- ARGV  1 epoch   2 quantity   3 fingerprint   4 reservation's time to live (ms)   5 count's time to live (ms)
--       6 customer
-- The order's own reservation comes before the count: the repeat of the request that took the last
-- unit must be told "reserved".
local reservation = read_reservation(KEYS[2])
if reservation then
  if reservation.fingerprint ~= ARGV[3] then return 'key_reused' end
  if reservation.state == 'X' then return 'released' end
  return 'found'
end
local count, outdated = read_count(KEYS[1])
if outdated then return 'outdated' end
if not count then return 'not_loaded' end
if count.units < tonumber(ARGV[2]) then return 'sold_out' end
if count.limit then
  local units, others, own = read_others(KEYS[1], ARGV[6], KEYS[2])
  if units + tonumber(ARGV[2]) > count.limit then return 'limit_exceeded' end
  redis.call('HSET', KEYS[1], ':' .. ARGV[6], others .. own .. '=' .. ARGV[2])
end
redis.call('HINCRBY', KEYS[1], 'units', '-' .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('SET', KEYS[2], 'R ' .. count.generation .. ' ' .. ARGV[2] .. ' ' .. ARGV[3], 'PX', ARGV[4])
return 'reserved'
