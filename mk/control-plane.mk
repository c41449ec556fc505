.PHONY: control-plane
control-plane: ## Build etcd, kube-apiserver, kubectl and kube-controller-manager for the tests (about 8 minutes the first time)
	tests/control-plane/build
