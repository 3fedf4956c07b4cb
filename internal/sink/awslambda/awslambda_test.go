package awslambda_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/awslambda"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func values(url string) setting.Values {
	return sinktest.AWSSettings("aws.lambda", url, setting.Values{"aws.lambda.functionname": "falco", "aws.lambda.invocationtype": "Event"})
}

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "aws.lambda", AWS: "lambda", Secrets: sinktest.AWSSecrets(), Retried: sinktest.AWSRetried(), Settings: values,
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("aws.lambda", v, awslambda.New) },
		Limit: func(body []byte) error {
			if n := len(body); n > 1<<20 || n < 1<<18 {
				return fmt.Errorf("the event has %d bytes", n)
			}
			return nil
		},
		Variants: map[string]setting.Values{
			"wait": {
				"aws.lambda.functionname": "arn:aws:lambda:" + sinktest.Region + ":123456789012:function:falco:$LATEST", "aws.lambda.invocationtype": "RequestResponse",
				"aws.lambda.logtype": "None", "aws.region": "us-east-1",
			},
		},
	}.Run(t)
}

// TestFailure tells a function that fails from one that does not, which the status does not say.
func TestFailure(t *testing.T) {
	failure := "Unhandled"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if failure != "" {
			w.Header().Set("X-Amz-Function-Error", failure)
		}
		fmt.Fprint(w, `{"errorMessage":"database is away","errorType":"Error"}`)
	}))
	defer srv.Close()
	s, err := setting.Open("aws.lambda", values(srv.URL), awslambda.New)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Send(t.Context(), sinktest.Alert("m"), nil)
	if err == nil || route.Permanent(err) || !strings.Contains(err.Error(), `the function has failed (Unhandled): {"errorMessage":"database is away"`) {
		t.Error(err)
	}
	failure = ""
	if err := s.Send(t.Context(), sinktest.Alert("m"), nil); err != nil {
		t.Error(err)
	}
}
