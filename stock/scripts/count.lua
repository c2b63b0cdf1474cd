-- Stands before every other script. Each is told the epoch first: counts of an earlier one are not to be trusted,
-- and a caller who finds one of a later epoch has missed something and must ask again.
-- A count is a hash: epoch, generation (a random name for this load), version (of the stock row that was read)
-- and units. A reservation is a string: state (R reserved, H held by the row as well, X released), the generation of the count that the units
-- were taken from ("-" for none), quantity and fingerprint.
-- A count whose SKU has a limit for each customer has two more sorts of fields: limit, and for each customer, under a colon and the
-- customer's id, the orders that reserved from this very count, as "order=units" with blanks between. They are known by order, so that none
-- counts twice and a customer is never refused for the order that asks.
local epoch = ARGV[1]

-- read_count gives the count of the key, or nil if none is loaded, and whether the caller's epoch is over.
local function read_count(key)
  local c = redis.call('HMGET', key, 'epoch', 'generation', 'version', 'units', 'limit')
  if not c[1] then return nil, false end
  if c[1] ~= epoch then return nil, tonumber(c[1]) > tonumber(epoch) end
  return {generation = c[2], version = tonumber(c[3]), units = tonumber(c[4]), limit = tonumber(c[5])}, false
end

-- read_others gives the units that a customer's other orders reserved from the count, how they are noted, and the name of the order
-- whose reservation has the key: eight characters tell the orders of one customer apart.
local function read_others(key, customer, reservation_key)
  local own = string.match(reservation_key, '}(%w%w%w%w%w%w%w%w)')
  local units, others = 0, ''
  for order, quantity in string.gmatch(redis.call('HGET', key, ':' .. customer) or '', '(%w+)=(%d+)') do
    if order ~= own then units, others = units + tonumber(quantity), others .. order .. '=' .. quantity .. ' ' end
  end
  return units, others, own
end

local function read_reservation(key)
  local value = redis.call('GET', key)
  if not value then return nil end
  local state, generation, quantity, fingerprint = string.match(value, '^(%a) (%S+) (%d+) (%S+)$')
  return {state = state, generation = generation, quantity = quantity, fingerprint = fingerprint}
end

