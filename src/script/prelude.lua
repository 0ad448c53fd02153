-- Runs once per interpreter, before it is closed to changes. Gets the functions written in Rust (native), and a table to
-- fill with what scripts see (env); returns the functions that the engine calls itself.
local native, env, load_env = ...
local xpcall, error, type, tostring, rawget, setmetatable, info = xpcall, error, type, tostring, rawget, setmetatable, debug.info
local select, log = select, math.log
local find, format = string.find, string.format

-- Whether an error may have words of Luau that Lua 5.1 says otherwise.
local function has_other_words(e)
  return find(e, "attempt to ", 1, true) or find(e, " argument #", 1, true) or find(e, "invalid 'for' ", 1, true)
end

-- The nearest frame of a script: its name and line.
local function place()
  for level = 2, 24 do
    local source, line = info(level, "sl")
    if not source then return nil end
    if source == "user_script" or source == "user_function" then return source, line end
  end
end

-- An error as scripts may see it: what was raised in Rust becomes text, with its place as Lua's own errors have it.
local function shown(e, source, line)
  local kind = type(e)
  if kind == "userdata" then
    local text = native.text_of(e)
    if not source then source, line = place() end
    return source and source .. ":" .. line .. ": " .. text or text
  end
  if kind == "string" and has_other_words(e) then return native.as_lua51(e) end
  return e
end

-- A script that must end passes through everything that would catch it.
local function check(ok, e, ...)
  if not ok and native.is_stopped() then error(e, 0) end
  return ok, e, ...
end

-- As in Redis, what a failed redis.call raises reaches pcall as its text.
local function caught(e)
  e = shown(e)
  if type(e) == "table" then
    local text = rawget(e, "err")
    if type(text) == "string" then return text end
  end
  return e
end

function env.pcall(f, ...) return check(xpcall(f, caught, ...)) end

function env.xpcall(f, handler, ...)
  return check(xpcall(f, function(e)
    if native.is_stopped() then return e end
    return handler(shown(e))
  end, ...))
end

local create, resume, yield, status, running, wrap =
  coroutine.create, coroutine.resume, coroutine.yield, coroutine.status, coroutine.running, coroutine.wrap
local function resumed(ok, e, ...)
  if ok then return ok, e, ... end
  if native.is_stopped() then error(e, 0) end
  return ok, shown(e), ...
end
-- As in Lua 5.1, the text of an error that leaves a coroutine gets the place of the caller in front.
local function raised(ok, e, ...)
  if ok then return e, ... end
  if type(e) == "string" then
    local source, line = info(3, "sl")
    if source == "user_script" or source == "user_function" then e = source .. ":" .. line .. ": " .. e end
  end
  error(e, 0)
end
local safe_resume = function(co, ...) return resumed(resume(co, ...)) end
-- The coroutine of the script itself, which nobody resumes but the engine.
local main
local function safe_yield(...)
  if running() == main then error("attempt to yield across metamethod/C-call boundary", 0) end
  return yield(...)
end
env.coroutine = {
  create = create, resume = safe_resume, yield = safe_yield, status = status, running = running,
  wrap = function(f)
    local co = create(f)
    return function(...) return raised(safe_resume(co, ...)) end
  end,
}

-- Failed calls of ours raise tables, which Rust cannot.
local function raising(f)
  return function(...)
    local result, failed = f(...)
    if failed then error(result, 0) end
    return result
  end
end
local redis = env.redis
redis.call, redis.pcall = native.call, native.pcall
for name, f in pairs(native.raising) do redis[name] = raising(f) end
load_env.redis.register_function = raising(native.register_function)
load_env.redis.log = redis.log
for _, api in pairs({ load_env.redis }) do
  setmetatable(api, {
    __index = function(_, name)
      error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
    end,
    __metatable = false,
  })
end

-- Numbers have the text of Lua 5.1.
function env.tostring(...)
  local value = ...
  if select("#", ...) == 0 then error("bad argument #1 to 'tostring' (value expected)", 2) end
  if type(value) == "number" then return format("%.14g", value) end
  return tostring(value)
end

local compile = native.compile
function env.loadstring(code, name)
  if type(code) ~= "string" then error("bad argument #1 to 'loadstring' (string expected, got " .. type(code) .. ")", 2) end
  return compile(code)
end
function env.load(chunk, name)
  if type(chunk) == "string" then return compile(chunk) end
  local parts = {}
  while true do
    local part = chunk()
    if part == nil or part == "" then break end
    parts[#parts + 1] = part
  end
  return compile(table.concat(parts))
end

function env.getfenv() return env end
function env.gcinfo() return native.used_kilobytes() end
function env.collectgarbage(option)
  if option == "count" then return native.used_kilobytes() end
  return 0
end
env.table.getn = function(t) return #t end
env.table.setn = nil
env.string.gfind = env.string.gmatch
env.math.mod = env.math.fmod
env.math.log = function(x) return log(x) end
env.math.random, env.math.randomseed = native.random, native.randomseed

-- Unknown globals are errors.
local function protect(t)
  return setmetatable(t, {
    __index = function(_, name)
      error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
    end,
  })
end
protect(env)
protect(load_env)

-- What ended a script, for the engine: the text of its error, and whether that was counted. The place is where it stands.
local function finish(e, source, line)
  if type(e) == "userdata" then e = shown(e, source, line) end
  if type(e) == "string" and has_other_words(e) then e = native.as_lua51(e) end
  if type(e) ~= "table" then e = { err = "ERR " .. tostring(e) } end
  return rawget(e, "err"), rawget(e, "ignore_error_stats_update")
end

return finish, function(co) main = co end
