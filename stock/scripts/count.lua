-- Stands before every other script. Each is told the epoch first: counts of an earlier one are not to be trusted,
-- and a caller who finds one of a later epoch has missed something and must ask again.
-- A count is a hash: epoch, generation (a random name for this load), version (of the stock row that was read)
-- and units. A reservation is a string: state (R reserved, H held by the row as well, X released), the generation of the count that the units
-- were taken from ("-" for none), quantity and fingerprint.
local epoch = ARGV[1]

-- read_count gives the count of the key, or nil if none is loaded, and whether the caller's epoch is over.
local function read_count(key)
  local c = redis.call('HMGET', key, 'epoch', 'generation', 'version', 'units')
  if not c[1] then return nil, false end
  if c[1] ~= epoch then return nil, tonumber(c[1]) > tonumber(epoch) end
  return {generation = c[2], version = tonumber(c[3]), units = tonumber(c[4])}, false
end

local function read_reservation(key)
  local value = redis.call('GET', key)
  if not value then return nil end
  local state, generation, quantity, fingerprint = string.match(value, '^(%a) (%S+) (%d+) (%S+)$')
  return {state = state, generation = generation, quantity = quantity, fingerprint = fingerprint}
end

