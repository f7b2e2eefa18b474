package verdicts

// Seeds. Those that the pool was made with are not those that it is judged by.
const (
	// FirstDevelopmentSeed begins the seeds to develop with.
	FirstDevelopmentSeed = 1
	// FirstJudgedSeed begins the seeds to judge by.
	FirstJudgedSeed = 1_000_000
	// JudgedSeeds is how many of them each truth has at each level of loss.
	JudgedSeeds = 1000
)
