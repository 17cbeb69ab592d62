using Xunit;

namespace Couic.Tests.Fuzz;

/// <summary>As <see cref="FuzzTests"/>, for what runs in the kernel.</summary>
[Collection("bpf")]
public class FrameFuzzTests(ITestOutputHelper output)
{
    [Fact]
    public void Frames()
    {
        using var target = new FrameTarget();
        FuzzTests.Run(target, output);
    }
}
