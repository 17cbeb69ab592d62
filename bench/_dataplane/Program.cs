using System.Globalization;
using Couic.Bench.DataPlane;

// Arguments: OBJECTS [ROUNDS [PACKETS [NAME-PART]]]
string objects = args[0];
int rounds = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 9;
uint packets = args.Length > 2 ? uint.Parse(args[2], CultureInfo.InvariantCulture) : 300_000;
string part = args.Length > 3 ? args[3] : "";
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;

Console.WriteLine($"ns a packet: medians of {rounds} interleaved rounds of {packets:N0} packets, an empty program that draws the same sources subtracted");
Console.WriteLine($"{"rules, sources",-60} {"two tries",9} {"couic",9} {"ratio",7}");
foreach (Scenario scenario in Scenario.All().Where(s => s.Name.Contains(part, StringComparison.Ordinal)))
{
    using var programs = new Programs(objects, scenario);
    var empty = new List<double>();
    var tries = new List<double>();
    var couic = new List<double>();
    for (int round = 0; round <= rounds; round++)
    {
        empty.Add(programs.Run(programs.Empty, packets));
        tries.Add(programs.Run(programs.TwoTries, packets));
        couic.Add(programs.Run(programs.Couic, packets));
    }

    double two = Median(tries) - Median(empty);
    double ours = Median(couic) - Median(empty);
    Console.WriteLine($"{scenario.Name,-60} {two,9:F0} {ours,9:F0} {two / Math.Max(1, ours),7:F1}");
}

// The first round warms up.
static double Median(List<double> values)
{
    double[] sorted = [.. values.Skip(1).Order()];
    return sorted[sorted.Length / 2];
}
