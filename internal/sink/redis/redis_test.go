package redis_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/redis"
	"github.com/saker-sec/saker/internal/sink/servertest"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

const password = "s3cretPassword"

func open(v setting.Values) (route.Sink, error) { return setting.Open("redis", v, redis.New) }

func Test(t *testing.T) {
	sinktest.Wire{
		Prefix: "redis", Secrets: []string{password, "s3cretWrong"}, Address: "redis.address", Large: true,
		Open: open,
		Start: func(t *testing.T, how sinktest.Security) sinktest.Peer {
			r := servertest.StartRedis(t, password, how.TLS, how.Mutual)
			return sinktest.Peer{Addr: r.Addr, Stop: r.Stop, Start: func() { r.Start(t) }, Read: func() []string {
				var out []string
				for _, line := range r.Do(t, "LRANGE", "falco", "0", "-1") {
					out = append(out, "falco "+line)
				}
				hash := r.Do(t, "-n", "3", "HGETALL", "alerts")
				for i := 0; i+1 < len(hash); i += 2 {
					out = append(out, "alerts "+hash[i]+" "+hash[i+1])
				}
				r.Do(t, "FLUSHALL")
				return out
			}}
		},
		Settings: func(addr string, tls bool) setting.Values {
			v := setting.Values{"redis.address": addr, "redis.password": password}
			if tls {
				v["redis.tls"] = "true"
			}
			return v
		},
		Wrong:    setting.Values{"redis.password": "s3cretWrong"},
		Variants: map[string]setting.Values{"hash": {"redis.storagetype": "hashmap", "redis.key": "alerts", "redis.database": "3", "redis.username": "default"}},
	}.Run(t)
}

// TestAgain stores an alert in a hash twice, and reads the user, the password and the certificates from other keys.
func TestAgain(t *testing.T) {
	cert := servertest.NewCertificates(t)
	r := servertest.StartRedis(t, password, cert, true)
	s, err := open(setting.Values{
		"redis.address": "rediss://default:" + password + "@" + r.Addr, "redis.storagetype": "hashmap", "redis.mutualtls": "true",
		"redis.cacertfile": cert.CA, "redis.certfile": cert.ClientCert, "redis.keyfile": cert.ClientKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.(route.Closer).Close(t.Context())
	for range 2 {
		if err := s.Send(t.Context(), sinktest.Samples()[0].Alert(t), nil); err != nil {
			t.Fatal(err)
		}
	}
	anonymous := sinktest.Samples()[0].Alert(t)
	anonymous.UUID = ""
	for range 2 {
		if err := s.Send(t.Context(), anonymous, nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.Do(t, "HLEN", "falco"); n[0] != "2" {
		t.Errorf("the hash has %v, want 2", n)
	}
	// A key of another kind is not overwritten; the alert waits until somebody has looked.
	r.Do(t, "SET", "text", "x")
	other, err := open(setting.Values{"redis.address": "rediss://" + r.Addr, "redis.password": password, "redis.key": "text", "redis.mutualtls": "true", "mutualtlsfilespath": cert.Dir})
	if err != nil {
		t.Fatal(err)
	}
	defer other.(route.Closer).Close(t.Context())
	if err := other.Send(t.Context(), anonymous, nil); err == nil || route.Permanent(err) {
		t.Errorf("a key of another kind: %v", err)
	} else {
		t.Log(err)
	}
}
