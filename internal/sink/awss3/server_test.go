package awss3_test

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/aws"
	"github.com/saker-sec/saker/internal/sink/awss3"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

// TestServer puts the samples, twice each, into a server that speaks S3's protocol, and reads them back.
func TestServer(t *testing.T) {
	store := s3mem.New()
	srv := httptest.NewServer(gofakes3.New(store).Server())
	defer srv.Close()
	s, err := setting.Open("aws.s3", sinktest.AWSSettings("aws.s3", srv.URL, setting.Values{"aws.s3.bucket": "falco"}), awss3.New)
	if err != nil {
		t.Fatal(err)
	}
	first := sinktest.Samples()[0].Alert(t)
	err = s.Send(t.Context(), first, nil)
	if err == nil || route.Permanent(err) || aws.Code(err) != "NoSuchBucket" || !strings.Contains(err.Error(), "404 Not Found: NoSuchBucket: ") {
		t.Errorf("without a bucket: %v", err)
	}
	if err := store.CreateBucket("falco"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, sample := range sinktest.Samples() {
			if err := s.Send(t.Context(), sample.Alert(t), nil); err != nil {
				t.Errorf("%s: %v", sample.Name, err)
			}
		}
	}
	list, err := store.ListBucket("falco", nil, gofakes3.ListBucketPage{})
	if err != nil || len(list.Contents) != len(sinktest.Samples()) {
		t.Errorf("%d objects, %v", len(list.Contents), err)
	}
	object, err := store.GetObject("falco", "falco/2026-11-23/2026-11-23T18:46:58.138453459Z-"+first.UUID+".json", nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(object.Contents)
	if err != nil || string(text) != string(first.AppendSidekick(nil)) || object.Metadata["Content-Type"] != "application/json" {
		t.Errorf("%s, %v, %v", text, object.Metadata, err)
	}
}
