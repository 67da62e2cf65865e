-- What the scripts of this folder share: which ports, which MACs, how long. Settings come from the
-- environment, for Pktgen gives a script no arguments.
--
--   POSTERN_TX, POSTERN_RX   the ports of Pktgen that face posternd's "in" and "out"; 0 and 1
--   POSTERN_MAC              MAC address of posternd's port "in"; needed by ranges.lua alone
--   POSTERN_SIZE             64, imix or 1438: what was loaded, for the output; 64
--   POSTERN_SECONDS          one measurement; 10
--   POSTERN_LOSS             packets of a million that may be lost; 0
--   POSTERN_OUT              file to append a line of results to; none

local cases = {}

local function setting(name, default)
	local value = os.getenv("POSTERN_" .. name)
	if value == nil or value == "" then
		return default
	end
	return value
end

cases.tx = setting("TX", "0")
cases.rx = setting("RX", "1")
cases.mac = setting("MAC", nil)
cases.size = setting("SIZE", "64")
cases.seconds = tonumber(setting("SECONDS", "10"))
cases.loss = tonumber(setting("LOSS", "0"))
cases.out = setting("OUT", nil)

-- Mean length on the wire with FCS; a frame takes 20 bytes more of the wire's time.
local bytes = { ["64"] = 64, ["imix"] = (7 * 64 + 4 * 570 + 1438) / 12, ["1438"] = 1438 }
cases.bytes = bytes[cases.size] or tonumber(cases.size)

-- Sends at so many percent of line rate. Returns packets sent and received, all of them waited for.
function cases.trial(percent, seconds)
	local before_tx = pktgen.portStats(cases.tx, "port")[tonumber(cases.tx)]
	local before_rx = pktgen.portStats(cases.rx, "port")[tonumber(cases.rx)]

	pktgen.set(cases.tx, "rate", percent)
	pktgen.start(cases.tx)
	pktgen.delay(seconds * 1000)
	pktgen.stop(cases.tx)
	pktgen.delay(1000)

	local after_tx = pktgen.portStats(cases.tx, "port")[tonumber(cases.tx)]
	local after_rx = pktgen.portStats(cases.rx, "port")[tonumber(cases.rx)]
	return after_tx.opackets - before_tx.opackets, after_rx.ipackets - before_rx.ipackets
end

function cases.say(what, packets, seconds)
	local mpps = packets / seconds / 1e6
	local line = string.format("%s bytes, %s: %.3f Mpps, %.2f Gbit/s", cases.size, what, mpps,
		mpps * cases.bytes * 8 / 1000)

	print(line)
	if cases.out then
		local file = assert(io.open(cases.out, "a"))
		file:write(line, "\n")
		file:close()
	end
end

-- Offered line rate: how much comes through when more is offered than can be.
function cases.flood()
	cases.trial(100, 2) -- neighbours, caches, clocks
	local sent, received = cases.trial(100, cases.seconds)

	cases.say(string.format("offered %.3f Mpps, came through", sent / cases.seconds / 1e6),
		received, cases.seconds)
end

local function lossless(percent)
	local sent, received = cases.trial(percent, cases.seconds)

	return sent > 0 and sent - received <= sent * cases.loss / 1e6, received
end

-- The highest rate at which all comes through (RFC 2544, section 26.1), by halving.
function cases.without_loss()
	local low, high = 0, 100
	local ok, best = lossless(high)

	if ok then
		low = high
	else
		best = 0
	end
	while high - low > 0.5 do
		local percent = (low + high) / 2
		local received

		ok, received = lossless(percent)
		if ok then
			low, best = percent, received
		else
			high = percent
		end
	end
	cases.say(string.format("without loss (%.1f %% of line rate)", low), best, cases.seconds)
end

return cases
