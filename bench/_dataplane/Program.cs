using System.Globalization;
using Couic.Bench.DataPlane;
using Couic.Native;

// Arguments: OBJECTS [ROUNDS [PACKETS [NAME-PART]]]; environment: ROUNDS, RULES ("1000 10000": hosts, so many, instead of the table) and TSV.
string objects = args[0];
int rounds = int.Parse(args.Length > 1 ? args[1] : Setting("ROUNDS") ?? "9", CultureInfo.InvariantCulture);
uint packets = args.Length > 2 ? uint.Parse(args[2], CultureInfo.InvariantCulture) : 150_000;
string part = args.Length > 3 ? args[3] : "";
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;

Console.WriteLine($"ns per packet: medians of {rounds} interleaved rounds of {packets:N0} packets, an empty program that draws the same sources subtracted");
Console.WriteLine($"{"rules, sources",-60} {"two tries",9} {"couic",9} {"ratio",7}");
IEnumerable<Scenario> scenarios = Setting("RULES") is { } sizes
    ? sizes.Split(' ').SelectMany(size => Scenario.Hosts(uint.Parse(size, CultureInfo.InvariantCulture)))
    : Scenario.All();
foreach (Scenario scenario in scenarios.Where(s => s.Name.Contains(part, StringComparison.Ordinal)))
{
    using var programs = new Programs(objects, scenario);
    var empty = new List<double>();
    var tries = new List<double>();
    var couic = new List<double>();
    for (int round = 0; round <= rounds; round++)
    {
        empty.Add(Warm(programs, programs.Empty));
        tries.Add(Warm(programs, programs.TwoTries));
        couic.Add(Warm(programs, programs.Couic));
    }

    double two = Median(tries) - Median(empty);
    double ours = Median(couic) - Median(empty);
    Console.WriteLine($"{scenario.Name,-60} {two,9:F0} {ours,9:F0} {two / Math.Max(1, ours),7:F1}");
    if (scenario.IsPlain && Setting("TSV") is { } file)
    {
        string traffic = $"{scenario.FamilyName} {(scenario.Listed ? "listed" : "any source")}";
        File.AppendAllText(file, $"dataplane/{traffic}, two tries\t{scenario.Rules}\t{two}\tns\ndataplane/{traffic}, couic\t{scenario.Rules}\t{ours}\tns\n");
    }
}

// A run that is not timed comes first: else each would pay for what the one before has left in the caches.
double Warm(Programs programs, FileDescriptor program)
{
    programs.Run(program, packets);
    return programs.Run(program, packets);
}

static string? Setting(string name) => Environment.GetEnvironmentVariable(name);

// The first round warms up.
static double Median(List<double> values)
{
    double[] sorted = [.. values.Skip(1).Order()];
    return sorted[sorted.Length / 2];
}
