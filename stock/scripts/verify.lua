-- Deletes the count of a SKU unless an order's units were taken from that very count.
-- KEYS  1 stock {generation, units}   2 the order's reservation   3 the loader's token
-- ARGV  1 fingerprint
-- It runs once the order database holds the units. A count that was loaded between the reservation and
-- then includes units that are not to be had any more, and so does one that is being loaded.
local reservation = redis.call('GET', KEYS[2])
if reservation then
  local state, generation, fingerprint = string.match(reservation, '^(%a) (%S+) %d+ (%S+)$')
  local current = redis.call('HGET', KEYS[1], 'generation')
  if state == 'R' and fingerprint == ARGV[1] and generation == current then return 'verified' end
end
redis.call('DEL', KEYS[1], KEYS[3])
return 'forgotten'
