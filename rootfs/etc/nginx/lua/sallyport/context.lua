-- The headers of a request ↔ the context of its trace, as W3C's Trace Context
-- and B3 have it.

local M = {}

local ngx = ngx
local var = ngx.var

local ZERO_TRACE, ZERO_SPAN = ("0"):rep(32), ("0"):rep(16)

local function is_hex(text, length)
    return text and #text == length and not text:find("[^%da-f]")
end

local function valid(trace, span)
    return is_hex(trace, 32) and is_hex(span, 16) and trace ~= ZERO_TRACE and span ~= ZERO_SPAN
end

-- W3C: version-trace-parent-flags; a later version may go on after a dash.
local function w3c()
    local text = var.http_traceparent
    if not text or #text < 55 or #text > 512 then
        return nil
    end
    local version, flags = text:sub(1, 2), text:sub(54, 55)
    local trace, span = text:sub(4, 35), text:sub(37, 52)
    if not is_hex(version, 2) or version == "ff" or not is_hex(flags, 2) or not valid(trace, span)
        or text:sub(3, 3) .. text:sub(36, 36) .. text:sub(53, 53) ~= "---"
        or #text > 55 and (version == "00" or text:sub(56, 56) ~= "-") then
        return nil
    end
    return trace, span, tonumber(flags, 16) % 2 == 1
end

-- B3's short trace is one of 64 bits.
local function b3_trace(trace, span, state)
    if not trace or not span then
        return nil
    end
    trace, span = trace:lower(), span:lower()
    if #trace == 16 then
        trace = ZERO_SPAN .. trace
    end
    if not valid(trace, span) then
        return nil
    end
    state = state and state:lower()
    -- Nothing said leaves it to who gets it.
    local sampled
    if state == "1" or state == "d" or state == "true" then
        sampled = true
    elseif state == "0" or state == "false" then
        sampled = false
    end
    return trace, span, sampled
end

local function b3()
    local text = var.http_b3
    if text then
        if #text > 128 then
            return nil
        end
        local trace, span, state = text:match("^(%x+)%-(%x+)%-([01dD])")
        if not trace then
            trace, span = text:match("^(%x+)%-(%x+)$")
        end
        return b3_trace(trace, span, state)
    end
    local state = var.http_x_b3_sampled
    if var.http_x_b3_flags == "1" then
        state = "d"
    end
    return b3_trace(var.http_x_b3_traceid, var.http_x_b3_spanid, state)
end

--- incoming returns the trace, the client's span, and whether the trace is
-- recorded, nil where the client leaves that open. Without a context that is
-- well-formed it returns nil.
function M.incoming()
    local trace, span, sampled = w3c()
    if trace then
        return trace, span, sampled
    end
    return b3()
end

--- outgoing gives the request a context. New is that of another trace than the
-- client's.
function M.outgoing(trace, span, sampled, parent)
    local set = ngx.req.set_header
    set("traceparent", "00-" .. trace .. "-" .. span .. (sampled and "-01" or "-00"))
    if not parent then
        ngx.req.clear_header("tracestate") -- of another trace
    end
    local state = sampled and "1" or "0"
    if var.http_b3 then
        set("b3", trace .. "-" .. span .. "-" .. state .. (parent and "-" .. parent or ""))
    end
    if var.http_x_b3_traceid or var.http_x_b3_sampled or var.http_x_b3_flags then
        set("X-B3-TraceId", trace)
        set("X-B3-SpanId", span)
        set("X-B3-Sampled", state)
        ngx.req.clear_header("X-B3-Flags")
        if parent then
            set("X-B3-ParentSpanId", parent)
        else
            ngx.req.clear_header("X-B3-ParentSpanId")
        end
    end
end

return M
