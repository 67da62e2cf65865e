-- For when no pcap file can be loaded: 1,024 flows from Pktgen's ranges. They are like those of
-- bench/rulegen/flows.h (the same networks, services and kind of ports) but not the same, and the
-- lists of rulegen promise "the last rule matches" for those alone: use this with one rule.
-- One size per run; no IMIX.
package.path = package.path .. ";?.lua;bench/pktgen/?.lua"
local cases = require("cases")

local function range(field, first, step, last)
	local set = pktgen.range[field]

	set(cases.tx, "start", first)
	set(cases.tx, "inc", step)
	set(cases.tx, "min", first)
	set(cases.tx, "max", last)
end

assert(cases.mac, "POSTERN_MAC is needed: the MAC address of posternd's port \"in\"")
assert(tonumber(cases.size), "POSTERN_SIZE: ranges know one size at a time, 64 to 1518")

pktgen.screen("off")
pktgen.range.dst_mac(cases.tx, "start", cases.mac)
pktgen.range.dst_mac(cases.tx, "inc", "00:00:00:00:00:00")
pktgen.range.dst_mac(cases.tx, "min", cases.mac)
pktgen.range.dst_mac(cases.tx, "max", cases.mac)
pktgen.range.ip_proto(cases.tx, "udp")
-- all fields step with every packet: 32 sources, 1,024 source ports, 16 services in turn
range("src_ip", "10.1.0.1", "0.0.1.0", "10.1.31.1")
range("dst_ip", "10.2.0.10", "0.0.1.0", "10.2.255.10")
range("src_port", 10000, 7, 10000 + 1023 * 7)
range("dst_port", 5000, 1, 5015)
range("pkt_size", tonumber(cases.size), 0, tonumber(cases.size))
pktgen.set_range(cases.tx, "on")
pktgen.set(cases.tx, "count", 0)
pktgen.delay(1000)
cases.flood()
cases.without_loss()
pktgen.quit()
