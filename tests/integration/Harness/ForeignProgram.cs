namespace Couic.IntegrationTests.Harness;

/// <summary>An XDP program that is not ours and passes everything.</summary>
public static class ForeignProgram
{
    private const string Source = """
        __attribute__((section("xdp"), used)) int foreign(void *context) { (void)context; return 2; }
        char terms[] __attribute__((section("license"), used)) = "GPL";
        """;

    /// <summary>Compiles it; returns the path of the object, whose section is <c>xdp</c>.</summary>
    public static string Compile(Scratch scratch)
    {
        string source = scratch.File("foreign.c", Source);
        string compiled = scratch["foreign.o"];
        Shell.Check(null, "clang", "-O2", "-target", "bpf", "-c", source, "-o", compiled);
        return compiled;
    }
}
