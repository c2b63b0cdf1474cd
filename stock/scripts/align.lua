-- Makes a count do without the units that an order's row holds, exactly once.
-- KEYS  1 count   2 the order's reservation   3 the loader's token
-- ARGV  1 epoch   2 fingerprint   3 quantity   4 first version of the stock row that held the units
--       5 reservation's time to live (ms)   6 "1" if the row was written just now
-- The units may have left the count twice (reserved from a count that was loaded without them) or not at
-- all (reserved from an earlier count, and this one was loaded before the row held them). Where a reservation may
-- have been lost and made again, it cannot be told how often: the count is deleted.
local count, outdated = read_count(KEYS[1])
if outdated then return 'outdated' end
if not count then
  redis.call('DEL', KEYS[3]) -- a loader may have read the row before it held the units
  return 'not_loaded'
end
local function note(generation)
  redis.call('SET', KEYS[2], 'H ' .. generation .. ' ' .. ARGV[3] .. ' ' .. ARGV[2], 'PX', ARGV[5])
  return 'aligned'
end
local reservation = read_reservation(KEYS[2])
local state
if reservation then
  if reservation.state == 'X' then return 'aligned' end
  if reservation.fingerprint == ARGV[2] then state = reservation.state end -- another's is none of this order's
end
local by_reserve = state and reservation.generation == count.generation
if count.version >= tonumber(ARGV[4]) then -- it was loaded without them
  if not by_reserve then return 'aligned' end
  redis.call('HINCRBY', KEYS[1], 'units', ARGV[3])
  return note('-')
end
if by_reserve and state == 'H' then return 'aligned' end
if by_reserve and ARGV[6] == '1' then return note(count.generation) end
if state == 'R' and not by_reserve then
  redis.call('HINCRBY', KEYS[1], 'units', '-' .. ARGV[3])
  return note(count.generation)
end
redis.call('DEL', KEYS[1], KEYS[3])
return 'aligned'
