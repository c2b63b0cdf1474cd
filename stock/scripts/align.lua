-- Makes a count do without the units that an order's row holds, exactly once.
-- KEYS  1 count   2 the order's reservation   3 the loader's token
-- ARGV  1 epoch   2 fingerprint   3 quantity   4 first version of the stock row that held the units
--       5 reservation's time to live (ms)
-- The units may have left the count twice (reserved from a count that was loaded without them) or not at
-- all (reserved from an earlier count, and this one was loaded before the row held them).
local count, outdated = read_count(KEYS[1])
if outdated then return 'outdated' end
if not count then
  redis.call('DEL', KEYS[3]) -- a loader may have read the row before it held the units
  return 'not_loaded'
end
local reservation = read_reservation(KEYS[2])
if reservation and reservation.state == 'X' then return 'aligned' end
local by_load = count.version >= tonumber(ARGV[4])
if reservation and reservation.fingerprint ~= ARGV[2] then -- another's, in whose place nothing can be noted
  if not by_load then redis.call('DEL', KEYS[1], KEYS[3]) end
  return 'aligned'
end
local by_reserve = reservation ~= nil and reservation.generation == count.generation
if by_load == by_reserve then
  local generation = count.generation
  if by_load then
    redis.call('HINCRBY', KEYS[1], 'units', ARGV[3])
    generation = '-'
  else
    redis.call('HINCRBY', KEYS[1], 'units', '-' .. ARGV[3])
  end
  redis.call('SET', KEYS[2], 'R ' .. generation .. ' ' .. ARGV[3] .. ' ' .. ARGV[2], 'PX', ARGV[5])
end
return 'aligned'
