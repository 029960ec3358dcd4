-- Amounts are decimal text of up to 19 digits. A Lua number is a double, exact only to 2^53 ($9.007 million in
-- nano-dollars), so an amount is two of them, split at the ninth digit: `hi` whole 10^9s and `lo` the rest.
local BASE = 1000000000
local MOST_HI = 9000000000

local function limbs(text)
  if not text then return 0, 0 end
  local sign = 1
  if string.byte(text) == 45 then
    sign, text = -1, string.sub(text, 2)
  end
  if #text <= 9 then return 0, sign * tonumber(text) end
  return sign * tonumber(string.sub(text, 1, -10)), sign * tonumber(string.sub(text, -9))
end

-- Moves whole 10^9s out of `lo`, so that 0 <= lo < 10^9 and two amounts compare limb by limb.
local function carried(hi, lo)
  local carry = math.floor(lo / BASE)
  return hi + carry, lo - carry * BASE
end

-- Whether hi:lo is above hi2:lo2; all of them carried.
local function above(hi, lo, hi2, lo2)
  return hi > hi2 or (hi == hi2 and lo > lo2)
end

-- A carried amount as decimal text.
local function text_of(hi, lo)
  if hi < 0 then
    hi, lo = carried(-hi, -lo)
    return '-' .. (hi == 0 and string.format('%.0f', lo) or string.format('%.0f%09.0f', hi, lo))
  end
  if hi == 0 then return string.format('%.0f', lo) end
  return string.format('%.0f%09.0f', hi, lo)
end

-- The sum of two amounts, and the difference. Up to 15 digits doubles are exact, also in the sum of three.
local function plus(one, other)
  if #one <= 15 and #other <= 15 then return string.format('%.0f', one + other) end
  local hi, lo = limbs(one)
  local hi2, lo2 = limbs(other)
  return text_of(carried(hi + hi2, lo + lo2))
end

local function minus(one, other)
  if #one <= 15 and #other <= 15 then return string.format('%.0f', one - other) end
  local hi, lo = limbs(one)
  local hi2, lo2 = limbs(other)
  return text_of(carried(hi - hi2, lo - lo2))
end

-- Whether an amount is more than 64 bits should count.
local function is_full(text)
  return #text >= 19 and select(1, limbs(text)) >= MOST_HI
end

-- Whether an amount beside what is spent and held is above a limit and above a gate ('' for none), and whether all of
-- that is more than should be counted. A limit that no double tells exactly is above any sum that one does.
local function judged(spent, held, wanted, limit, gate)
  if #spent <= 15 and #held <= 15 and #wanted <= 15 then
    local all = spent + held + wanted
    return limit ~= '' and all > tonumber(limit), gate ~= '' and all > tonumber(gate), false
  end
  local s_hi, s_lo = limbs(spent)
  local h_hi, h_lo = limbs(held)
  local w_hi, w_lo = limbs(wanted)
  local hi, lo = carried(s_hi + h_hi + w_hi, s_lo + h_lo + w_lo)
  local l_hi, l_lo = limbs(limit ~= '' and limit)
  local g_hi, g_lo = limbs(gate ~= '' and gate)
  return limit ~= '' and above(hi, lo, l_hi, l_lo), gate ~= '' and above(hi, lo, g_hi, g_lo), hi >= MOST_HI
end

-- What is noted of counters, all read at once: spent and held of the first, of the second, …; false where there is
-- none. `names`: "budget\0window" of each.
local function noted(counters, names)
  if #names == 0 then return {} end
  local fields = {}
  for at, name in ipairs(names) do
    fields[2 * at - 1] = name .. '\0s'
    fields[2 * at] = name .. '\0h'
  end
  return redis.call('HMGET', counters, unpack(fields))
end

-- What counts against the limit of the counter `name`: its `spent` and `held` with those of the windows from `from` on.
local function with_older(counters, windows, name, from, spent, held)
  local was = noted(counters, redis.call('ZRANGEBYLEX', windows, '[' .. from, '(' .. name))
  for at = 1, #was, 2 do
    spent, held = plus(spent, was[at] or '0'), plus(held, was[at + 1] or '0')
  end
  return spent, held
end
