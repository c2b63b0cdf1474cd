package temporalserver

import (
	"net/netip"

	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
)

// clusterName is written into every namespace: changing it orphans them.
const clusterName = "active"

// historyShards is the number of locks that workflows share, fixed for the life of the files. One
// connection writes them all, so more shards buy nothing; four measured no faster than one.
const historyShards = 1

// unlimited is a rate per second that this process never reaches. The server's limits protect a shared
// cluster from its tenants; here they would only throttle the sale that the stack is there to show, and the
// Web UI's lists, which get ten calls a second by default.
const unlimited = 1_000_000

// visibilityWriters is how many records of the Web UI's lists are written at a time. They share one
// connection: of the default 512, most wait for it until they time out, and are then done again.
const visibilityWriters = 4

// dynamicSettings are the server's tunables that differ from their defaults.
func dynamicSettings() dynamicconfig.StaticClient {
	return dynamicconfig.StaticClient{
		dynamicconfig.FrontendRPS.Key():                                  unlimited,
		dynamicconfig.FrontendMaxNamespaceRPSPerInstance.Key():           unlimited,
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): unlimited,
		dynamicconfig.FrontendPersistenceMaxQPS.Key():                    unlimited,
		dynamicconfig.HistoryRPS.Key():                                   unlimited,
		dynamicconfig.HistoryPersistenceMaxQPS.Key():                     unlimited,
		dynamicconfig.MatchingRPS.Key():                                  unlimited,
		dynamicconfig.MatchingPersistenceMaxQPS.Key():                    unlimited,
		dynamicconfig.WorkerPersistenceMaxQPS.Key():                      unlimited,
		dynamicconfig.VisibilityPersistenceMaxReadQPS.Key():              unlimited,
		dynamicconfig.VisibilityPersistenceMaxWriteQPS.Key():             unlimited,
		// Partitions spread a task queue over several machines. On one they only make pollers and tasks
		// miss each other.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():      1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key():     1,
		dynamicconfig.VisibilityProcessorSchedulerWorkerCount.Key(): visibilityWriters,
		// The server does not stop these workers of its own: after a Stop they would go on polling, and find
		// a later server of this process. They sweep up what crashes of a large cluster leave behind, and
		// close children in bulk for parents that have hundreds; without them parents close their own.
		dynamicconfig.TaskQueueScannerEnabled.Key():       false,
		dynamicconfig.HistoryScannerEnabled.Key():         false,
		dynamicconfig.BuildIdScavengerEnabled.Key():       false,
		dynamicconfig.EnableParentClosePolicyWorker.Key(): false,
	}
}

// staticSettings puts the frontend at its address and everything else on loopback.
func staticSettings(s stores, frontend netip.AddrPort, dial string, ports map[primitives.ServiceName]int) *config.Config {
	services := map[string]config.Service{
		string(primitives.FrontendService): serviceAt(frontend.Addr().String(), int(frontend.Port())),
	}
	for name, port := range ports {
		services[string(name)] = serviceAt(loopback, port)
	}
	return &config.Config{
		Services: services,
		Persistence: config.Persistence{
			DefaultStore:     "main",
			VisibilityStore:  "visibility",
			NumHistoryShards: historyShards,
			DataStores: map[string]config.DataStore{
				"main":       {SQL: s.main},
				"visibility": {SQL: s.visibility},
			},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: dial},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		PublicClient:        config.PublicClient{HostPort: dial},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: "disabled"},
			Visibility: config.VisibilityArchival{State: "disabled"},
		},
		NamespaceDefaults: config.NamespaceDefaults{
			Archival: config.ArchivalNamespaceDefaults{
				History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
				Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
			},
		},
	}
}

func serviceAt(ip string, port int) config.Service {
	return config.Service{RPC: config.RPC{BindOnIP: ip, GRPCPort: port}}
}

// hosts tells each service where all of them are, which spares the membership protocol and its ports.
func hosts(dial string, ports map[primitives.ServiceName]int) map[primitives.ServiceName]static.Hosts {
	out := map[primitives.ServiceName]static.Hosts{
		primitives.FrontendService: static.SingleLocalHost(dial),
	}
	for name, port := range ports {
		out[name] = static.SingleLocalHost(loopbackAt(port))
	}
	return out
}
