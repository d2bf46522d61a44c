-- Runs first for every request, before Lighttpd looks for a handler. Decides alone: answers itself, sends one file, or
-- names the back end. An error in here, or its absence, is a 500 for everything: nothing is served past it.

-- Globals end with the request; what stays is in this one table. It is made anew when Lighttpd has read this file
-- again, because `lighty` then is another object.
local gate = _G.kitemirror
if not gate or gate.lighty ~= lighty then
  gate = dofile(os.getenv("SITE_HOME") .. "/lighttpd/route.lua")(lighty)
  _G.kitemirror = gate
end
return gate.answer()
