-- Runs before the head of every answer is sent. What the gate answered itself is complete; what a back end or Lighttpd
-- itself answered is completed here.

local complete = _G.kitemirror
if not complete or complete.lighty ~= lighty then
  complete = dofile(os.getenv("SITE_HOME") .. "/lighttpd/complete.lua")(lighty)
  _G.kitemirror = complete
end
return complete.answer()
