#!lua flags=no-writes
-- KEYS: counters, windows. ARGV per line: counter, oldest window that counts (or ''). Answers "spent held" per line.
local answer = {}
for at = 1, #ARGV, 2 do
  local s_hi, s_lo, h_hi, h_lo = standing(KEYS[1], KEYS[2], ARGV[at], ARGV[at + 1])
  answer[#answer + 1] = text_of(s_hi, s_lo)
  answer[#answer + 1] = text_of(h_hi, h_lo)
end
return {ok = table.concat(answer, ' ')}
