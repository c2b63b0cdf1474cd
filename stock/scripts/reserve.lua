-- Counts an order's units of one SKU down, once.
-- KEYS  1 stock {generation, units}   2 the order's reservation
-- ARGV  1 quantity   2 fingerprint   3 reservation's time to live (ms)   4 stock's time to live (ms)
-- The order's own reservation comes before the stock: the repeat of the request that took the last
-- unit must be told "reserved".
local reservation = redis.call('GET', KEYS[2])
if reservation then
  local state, fingerprint = string.match(reservation, '^(%a) %S+ %d+ (%S+)$')
  if fingerprint ~= ARGV[2] then return 'key_reused' end
  if state == 'X' then return 'released' end
  return 'found'
end
local stock = redis.call('HMGET', KEYS[1], 'generation', 'units')
if not stock[1] then return 'not_loaded' end
if tonumber(stock[2]) < tonumber(ARGV[1]) then return 'sold_out' end
redis.call('HINCRBY', KEYS[1], 'units', '-' .. ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('SET', KEYS[2], 'R ' .. stock[1] .. ' ' .. ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[3])
return 'reserved'
