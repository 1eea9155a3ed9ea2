-- A request → one with the context of a trace, as W3C's Trace Context has it:
-- that of the client, where it is trusted and well-formed, or a new one.

local M = {}

local ngx = ngx
local var = ngx.var

local ZERO_TRACE, ZERO_SPAN = ("0"):rep(32), ("0"):rep(16)

-- incoming returns the trace and the flags that the client tells.
local function incoming()
    local text = var.http_traceparent
    if not text or #text > 55 then
        return nil
    end
    local trace, span, flags = text:match("^00%-([%da-f]+)%-([%da-f]+)%-([%da-f][%da-f])$")
    if not trace or #trace ~= 32 or #span ~= 16 or trace == ZERO_TRACE or span == ZERO_SPAN then
        return nil
    end
    return trace, flags
end

function M.prepare(value)
    return {
        rewrite = function()
            local trace, flags
            if value.trust then
                trace, flags = incoming()
            end
            if not trace then
                trace, flags = var.request_id, "01"
                ngx.req.clear_header("tracestate") -- of another trace
            end
            local span = ngx.md5(var.request_id .. var.pid .. ngx.now() .. math.random()):sub(1, 16)
            ngx.req.set_header("traceparent", "00-" .. trace .. "-" .. span .. "-" .. flags)
        end,
    }
end

return M
