-- Gives an order's units of one SKU back, once, and blocks a reserve that comes later.
-- KEYS  1 count   2 the order's reservation   3 the loader's token
-- ARGV  1 epoch   2 fingerprint   3 quantity   4 reservation's time to live (ms)
--       5 "1" if units were, or may have been, taken
--       6 "1" if the id belongs to another order, whose reservations must not be blocked
--       7 first version of the stock row that held the units, "" if none did
--       8 first version that had them back, "" if it is not known   9 customer
-- What a count does without is what was reserved from it, and what its row held when it was read. Where that
-- cannot be told any more, the count is deleted.
local count, outdated = read_count(KEYS[1])
if outdated then return 'outdated' end
local reservation = read_reservation(KEYS[2])
local taken, foreign, held = ARGV[5] == '1', ARGV[6] == '1', ARGV[7] ~= ''
local others = reservation and reservation.fingerprint ~= ARGV[2]
if others then
  if held and not foreign then redis.call('DEL', KEYS[1], KEYS[3]) end -- the row is this order's
  return 'key_reused'
end
if reservation and reservation.state == 'X' then return 'released' end

local owed, known = 0, true
if count then
  local by_load = held and count.version >= tonumber(ARGV[7])
  if reservation and reservation.generation == count.generation then
    owed = owed + tonumber(reservation.quantity)
    known = not held or by_load or reservation.state == 'H' -- otherwise it may have been lost and made again
  end
  if by_load then
    if ARGV[8] == '' then known = false
    elseif count.version < tonumber(ARGV[8]) then owed = owed + tonumber(ARGV[3]) end
  elseif not reservation and taken and not foreign then known = false end
end
if count and count.limit and known then
  local _, others = read_others(KEYS[1], ARGV[9], KEYS[2])
  if others == '' then redis.call('HDEL', KEYS[1], ':' .. ARGV[9])
  else redis.call('HSET', KEYS[1], ':' .. ARGV[9], others) end
end
if not known then
  redis.call('DEL', KEYS[1], KEYS[3])
elseif owed > 0 then
  redis.call('HINCRBY', KEYS[1], 'units', owed)
elseif not count and held then
  redis.call('DEL', KEYS[3]) -- a loader may have read the row while it held the units
end
if foreign then
  redis.call('DEL', KEYS[2])
else
  redis.call('SET', KEYS[2], 'X - 0 ' .. ARGV[2], 'PX', ARGV[4])
end
return 'released'
