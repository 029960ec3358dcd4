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

-- What counts against the limit of the counter `name` ("budget\0window"): spent and held, both in limbs, with the
-- windows from `from` on unless that is empty; and whether the counter exists.
local function standing(counters, windows, name, from)
  local now = redis.call('HMGET', counters, name .. '\0s', name .. '\0h')
  local s_hi, s_lo = limbs(now[1])
  local h_hi, h_lo = limbs(now[2])
  if from ~= '' then
    for _, older in ipairs(redis.call('ZRANGEBYLEX', windows, '[' .. from, '(' .. name)) do
      local was = redis.call('HMGET', counters, older .. '\0s', older .. '\0h')
      local hi, lo = limbs(was[1])
      s_hi, s_lo = s_hi + hi, s_lo + lo
      hi, lo = limbs(was[2])
      h_hi, h_lo = h_hi + hi, h_lo + lo
    end
  end
  s_hi, s_lo = carried(s_hi, s_lo)
  h_hi, h_lo = carried(h_hi, h_lo)
  return s_hi, s_lo, h_hi, h_lo, now[2] ~= false
end
