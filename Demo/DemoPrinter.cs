using System.Globalization;

namespace Couic.Demo;

/// <summary>Prints the demonstration as it runs, and counts correct verdicts.</summary>
internal sealed class DemoPrinter(TextWriter output)
{
    private int _right;
    private int _wrong;

    public bool AllRight => _wrong == 0 && _right > 0;

    public void Begin() => output.WriteLine("""
        couic demo: two network namespaces of its own, a pair of interfaces, real packets.

            outside                                     inside
            any source ───▶ outer ════════ inner ───▶ [ XDP: couic ] ───▶ kernel
                                                          ✗ drop
        """);

    public void BeginMode(string mode)
    {
        output.WriteLine();
        output.WriteLine($"{mode} mode");
    }

    public void Started(TimeSpan took) =>
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  daemon started and attached in {took.TotalMilliseconds:0} ms"));

    public void Rules(IReadOnlyList<(string Policy, string Cidr)> rules)
    {
        output.WriteLine("  rules added over the API:");
        foreach (IGrouping<string, string> group in rules.GroupBy(r => r.Policy, r => r.Cidr))
        {
            output.WriteLine($"    {group.Key,-7} {string.Join("  ", group)}");
        }
    }

    /// <param name="brief">One line when all verdicts are correct.</param>
    public void Verdicts(string when, IReadOnlyList<DemoPacket> packets, int[] arrived, bool brief = false)
    {
        bool[] right = [.. packets.Select((p, i) => arrived[i] == (p.Passes ? DemoProbe.Repeat : 0))];
        _right += right.Count(r => r);
        _wrong += right.Count(r => !r);
        if (brief && right.All(r => r))
        {
            output.WriteLine($"  {when}: all {packets.Count} verdicts right  ok");
            return;
        }

        output.WriteLine($"  {when}:");
        output.WriteLine($"    {"source",-28} {"sent",4} {"arrived",7}  {"verdict",-7}         because");
        for (int i = 0; i < packets.Count; i++)
        {
            string seen = arrived[i] == 0 ? "drop" : arrived[i] == DemoProbe.Repeat ? "pass" : "mixed";
            string judged = right[i] ? "ok" : $"WRONG, not {(packets[i].Passes ? "pass" : "drop")}";
            output.WriteLine($"    {packets[i].Label,-28} {DemoProbe.Repeat,4} {arrived[i],7}  {seen,-7} {judged,-7} {packets[i].Why}");
        }
    }

    public void Ended(bool well)
    {
        _right += well ? 1 : 0;
        _wrong += well ? 0 : 1;
        output.WriteLine(well ? "  daemon ended, detached  ok" : "  daemon did not end as it should  WRONG");
    }

    public void End(TimeSpan took)
    {
        output.WriteLine();
        string sum = AllRight ? $"all {_right} checks right" : $"{_wrong} of {_right + _wrong} checks WRONG";
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{sum}, in {took.TotalSeconds:0.0} s; namespaces, interfaces, rules and files are gone again"));
    }
}
