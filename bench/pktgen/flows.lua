-- Sends the frames that flowpcap wrote, the 1,024 flows of bench/rulegen/flows.h exactly; Pktgen was
-- started with -s PORT:FILE. Measures what comes through under flood, and the rate without loss.
-- docs/benchmark.md has the commands.
package.path = package.path .. ";?.lua;bench/pktgen/?.lua"
local cases = require("cases")

pktgen.screen("off")
pktgen.pcap(cases.tx, "on")
pktgen.set(cases.tx, "count", 0) -- until stopped
pktgen.delay(1000)
cases.flood()
cases.without_loss()
pktgen.quit()
