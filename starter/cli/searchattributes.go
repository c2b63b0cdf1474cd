package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
)

// addSearchAttributes registers those of the wanted attributes that the namespace lacks, and returns
// their names in order. An attribute that is there with another type is a failure, and then none is
// added.
func addSearchAttributes(ctx context.Context, service operatorservice.OperatorServiceClient, namespace string,
	wanted map[string]enums.IndexedValueType,
) ([]string, error) {
	var refused error
	for range 2 { // a second time if another program adds them at the same moment
		missing, err := missingSearchAttributes(ctx, service, namespace, wanted)
		if err != nil || len(missing) == 0 {
			return []string{}, err
		}
		_, refused = service.AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
			Namespace: namespace, SearchAttributes: missing,
		})
		if refused == nil {
			return slices.Sorted(maps.Keys(missing)), nil
		}
		if _, raced := errors.AsType[*serviceerror.AlreadyExists](refused); !raced {
			break
		}
	}
	return nil, errorf("failed", "The search attributes were not added", "namespace %s: %v", namespace, refused)
}

func missingSearchAttributes(ctx context.Context, service operatorservice.OperatorServiceClient, namespace string,
	wanted map[string]enums.IndexedValueType,
) (map[string]enums.IndexedValueType, error) {
	list, err := service.ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if _, absent := errors.AsType[*serviceerror.NamespaceNotFound](err); absent {
		return nil, errorf("failed", "No such namespace", "Temporal has no namespace %s", namespace).
			advisef("Create it first: temporal operator namespace create --namespace %s", quote(namespace))
	}
	if err != nil {
		return nil, errorf("failed", "The search attributes cannot be listed", "namespace %s: %v", namespace, err)
	}
	missing := make(map[string]enums.IndexedValueType)
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		has, ok := list.GetCustomAttributes()[name]
		switch {
		case !ok:
			missing[name] = wanted[name]
		case has != wanted[name]:
			wrong = append(wrong, fmt.Sprintf("%s is %s and must be %s", name, has, wanted[name]))
		}
	}
	if len(wrong) > 0 {
		return nil, errorf("search-attribute-type", "Search attributes of another type are there already",
			"namespace %s: %s", namespace, strings.Join(wrong, "; ")).
			advisef("Remove them first ('temporal operator search-attribute remove'), or use another namespace.")
	}
	return missing, nil
}
