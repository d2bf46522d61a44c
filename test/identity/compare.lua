-- Decides cases from a file by the gate's own Lua, within the real Lighttpd: one line in, one line out. For
-- test/identity/agreement.test.ts.

local home, folder = os.getenv("SITE_HOME") .. "/lighttpd/", os.getenv("SITE_CASES")
local decide = dofile(home .. "decide.lua")
local new_reader, new_identity = dofile(home .. "grants.lua"), dofile(home .. "identity.lua")
local attributes = {}
local fake = { r = { req_attr = attributes }, c = lighty.c, stat = lighty.stat }
local readers, out = {}, {}

local function sided(table_number, cookie_name)
  local known = readers[table_number]
  if not known then
    local reader = new_reader(fake, folder .. "/grants-" .. table_number)
    known = { reader = reader, identity = new_identity(fake, reader, cookie_name) }
    readers[table_number] = known
  end
  return known
end

local labels = {}
local function label_of(organization, pipeline, id, branch)
  if id == "" then return nil end
  local key = table.concat({ organization, pipeline, id, branch }, "\t")
  if not labels[key] then
    local text = branch:match("^=(.*)$")
    labels[key] = { organization = organization, pipeline = pipeline, id = id, branch = text }
  end
  return labels[key]
end

local deciders = {}

-- Who asks, and what they may have.
function deciders.cases(number, now, address, authorization, cookie, organization, pipeline, id, branch, path)
  local side = sided(number, "kitemirror")
  attributes["request.remote-addr"] = address
  local grants = side.reader.current(tonumber(now))
  local caller, why = side.identity.who(grants, authorization ~= "" and authorization or nil, cookie ~= "" and cookie or nil, tonumber(now))
  local label = label_of(organization, pipeline, id, branch)
  local reads = caller and decide.may_read(caller, label) or false
  local knows = caller and decide.knows_pipeline(caller, organization, pipeline) or false
  local public = decide.is_public_path(grants.publics, label, path)
  return caller and caller.kind or why, caller and caller.subject or "-", tostring(reads), tostring(knows), tostring(public)
end

-- Whether a link holds for this path, or a cookie on this report's host.
function deciders.bound(number, now, kind, token, bound)
  local side = sided(number, "kitemirror")
  local grants = side.reader.current(tonumber(now))
  local caller, why
  if kind == "link" then
    caller, why = side.identity.bound(grants, "link", token, tonumber(now), bound)
  else
    caller, why = side.identity.visitor(grants, "kitemirror=" .. token, tonumber(now), bound)
  end
  return caller and caller.kind or why, caller and caller.subject or "-", caller and caller.session or "-"
end

-- Asked for by the name of their file.
local name = lighty.r.req_attr["uri.path"]:sub(2)
for line in io.lines(folder .. "/" .. name) do
  local part = {}
  for text in (line .. "\t"):gmatch("([^\t]*)\t") do part[#part + 1] = text end
  out[#out + 1] = table.concat({ deciders[name](table.unpack(part)) }, " ")
end
lighty.r.resp_body.set(table.concat(out, "\n") .. "\n")
return 200
