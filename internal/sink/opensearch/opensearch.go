// Package opensearch puts alerts into indices of OpenSearch, as elasticsearch does into those of Elasticsearch: the two speak
// the same protocol. Falcosidekick has one destination for both; this one has its own keys, so that there can be one of each.
package opensearch

import "github.com/saker-sec/saker/internal/sink/elasticsearch"

// Config is the destination's configuration. Its keys are those of elasticsearch.
type Config struct{ elasticsearch.Config }

// New returns a sink. It fails when the address or a certificate cannot be used.
func New(cfg Config) (*elasticsearch.Sink, error) {
	return elasticsearch.Open("opensearch", cfg.Config)
}
