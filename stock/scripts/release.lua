-- Gives an order's units of one SKU back, once, and blocks a reserve that comes later.
-- KEYS  1 stock {generation, units}   2 the order's reservation   3 the loader's token
-- ARGV  1 fingerprint   2 reservation's time to live (ms)   3 "1" if units were, or may have been, taken
--       4 "1" if the id belongs to another order, whose reservations must not be blocked
-- A count is raised only by a reservation of its own generation. Otherwise nothing here knows whether
-- the count includes these units, so it is deleted and loaded afresh.
local reservation = redis.call('GET', KEYS[2])
local foreign = ARGV[4] == '1'
local forget = ARGV[3] == '1' and not foreign
if reservation then
  local state, generation, quantity, fingerprint = string.match(reservation, '^(%a) (%S+) (%d+) (%S+)$')
  if fingerprint ~= ARGV[1] then return 'key_reused' end
  if state == 'X' then return 'released' end
  forget = generation ~= redis.call('HGET', KEYS[1], 'generation')
  if not forget then redis.call('HINCRBY', KEYS[1], 'units', quantity) end
end
if forget then redis.call('DEL', KEYS[1], KEYS[3]) end
if foreign then
  redis.call('DEL', KEYS[2])
else
  redis.call('SET', KEYS[2], 'X - 0 ' .. ARGV[1], 'PX', ARGV[2])
end
return 'released'
