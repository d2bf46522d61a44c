-- Stable addresses that a small file answers: the latest build of a branch, of a commit, of a pull request; the new
-- name of a pipeline.

local kinds = { latest = true, commits = true, pulls = true }
local states = { passed = true, failed = true, any = true }

return function(lighty, site, files, answers)
  local r, c = lighty.r, lighty.c
  local attribute = r.req_attr
  local pointers = {}

  -- <org>/<pipeline>/latest/<branch>/-/<rest>: everything up to the first "/-/" is the name. The path as it was sent
  -- has its "/-/" at the same place: in it neither "/" nor "-" can be written another way.
  local function follow(folder, kind, tail, query, may)
    local wanted = query == "" and {} or c.urldec_query(query)
    local state = wanted.state or "passed"
    if not states[state] then
      return answers.fail(400, "ERR_REQUEST_MALFORMED", "state must be passed, failed or any")
    end
    local name = tail:match("^/(.-)/%-/") or tail:match("^/%-/") and ""
    if not name then return nil end
    if kind == "latest" and wanted.branch then name = wanted.branch end
    local digest = c.md("sha256", name):lower()
    -- The one thing that is the branch's and no build's: a picture of its latest state, whatever that is.
    local is_badge = kind == "latest" and (tail:match("^/%-/(.*)$") or tail:match("^/.-/%-/(.*)$")) == "badge.svg"
    if is_badge then state = "any" end
    local number = files.first_line(site.pages .. folder .. "/" .. kind .. "/" .. digest .. "." .. state)
    if not number or not number:match("^%d+$") then return nil end
    if may and not may(folder .. "/builds/" .. number) then return nil end
    if is_badge then
      return files.send(site.pages .. folder .. "/latest/" .. digest .. ".svg", answers.page_policy(), nil, nil, true)
    end
    local sent = attribute["uri.path-raw"]
    local rest = sent:match("^/[^/]+/[^/]+/%l+/%-/(.*)$") or sent:match("^/[^/]+/[^/]+/%l+/.-/%-/(.*)$")
    local prefix = sent:match("^/[^/]+/[^/]+")
    return answers.redirect(302, prefix .. "/builds/" .. number .. "/" .. rest .. answers.query_without("state", "branch"))
  end

  -- Where the path is such an address: the status to end with. nil: it is not, or nothing answers it.
  -- `may`: nil, or whether the caller may read the build at this address.
  function pointers.answer(path, may)
    local folder, kind, at = path:match("^(/[^/]+/[^/]+)/(%l+)()/")
    if not kinds[kind] then return nil end
    -- The build's own folder, as people write it: without the slash.
    if path:find("/%-$") and not path:find("/%-/", at) then return answers.add_slash() end
    return follow(folder, kind, path:sub(at), answers.query, may)
  end

  -- A pipeline that has another name now: the same address under that name. nil where it is still here, or never was.
  -- `may`: nil, or whether the caller may know of the address that it leads to.
  function pointers.moved(path, may)
    local organization, pipeline = path:match("^/([^/]+)/([^/]+)")
    if not pipeline or files.is_folder(site.tree .. "/" .. organization .. "/" .. pipeline) then return nil end
    local name = files.first_line(site.pages .. "/" .. organization .. "/" .. pipeline .. ".moved")
    if not name or not name:match("^[^/%c]+$") then return nil end
    if may and not may(organization, name, path:sub(#organization + #pipeline + 3)) then return nil end
    local prefix, rest = attribute["uri.path-raw"]:match("^(/[^/]+/)[^/]+(.*)$")
    return answers.redirect(302, prefix .. c.urlenc(name) .. rest .. answers.query_without())
  end

  return pointers
end
